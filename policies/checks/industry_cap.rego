# People from industry read no higher than their country's limit for industry, whatever their clearance.
package dive.checks.industry_cap

import data.dive.checks.industry
import data.dive.levels
import data.dive.tenant

default pass := false

pass if not industry.from_industry

pass if levels.classification <= levels.rank[tenant.industry_max_classification]

reason := sprintf("People from industry read no higher than %s", [tenant.industry_max_classification])
