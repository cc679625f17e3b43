# People from industry may read only what is released to industry.
package dive.checks.industry

default pass := false

pass if not from_industry

pass if input.resource.releasableToIndustry == true

from_industry if upper(input.subject.organizationType) == "INDUSTRY"

reason := "The resource is not releasable to industry"
