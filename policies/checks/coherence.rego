# The resource's communities of interest are known, active and do not exclude one another.
package dive.checks.coherence

import data.dive.feeds

wanted := {tag | some tag in input.resource.COI}

definitions := feeds.rows.coi_definitions

active contains tag if {
	some tag, definition in definitions
	definition.status == "active"
	definition.enabled == true
}

faults contains sprintf("%s is not an active community", [tag]) if some tag in (wanted - active)

faults contains sprintf("%s and %s exclude each other", sort([one, other])) if {
	some one in wanted
	some other in definitions[one].mutuallyExclusiveWith
	other in wanted
}

default pass := false

pass if count(faults) == 0

reason := sprintf("The resource's communities of interest are not coherent: %s", [concat("; ", sort(faults))])
