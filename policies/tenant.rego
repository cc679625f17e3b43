# Settings of the country whose service asks (`context.tenant`), from the feed tenant_configs.
package dive.tenant

import data.dive.feeds

config := feeds.rows.tenant_configs[input.context.tenant]

# Whether the strength of the login counts. Only an explicit `false` in the country's settings disables it.
default aal_enforced := true

aal_enforced := false if config.aal_enforced == false

# The highest level that a person from industry may read.
default industry_max_classification := "RESTRICTED"

industry_max_classification := config.industry_max_classification

# Authentication assurance level that a classification requires.
default required_aal := 3

required_aal := {
	"UNCLASSIFIED": 1,
	"RESTRICTED": 1,
	"CONFIDENTIAL": 2,
	"SECRET": 2,
	"TOP_SECRET": 3,
}[input.resource.classification]
