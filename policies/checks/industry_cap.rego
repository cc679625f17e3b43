# People from industry may read up to their country's limit for industry, regardless of their clearance.
package dive.checks.industry_cap

import data.dive.checks.industry
import data.dive.levels
import data.dive.tenant

default pass := false

pass if not industry.from_industry

pass if levels.classification <= levels.rank[tenant.industry_max_classification]

reason := sprintf("People from industry may read up to %s", [tenant.industry_max_classification])
