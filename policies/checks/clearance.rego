# The person's clearance is at least the resource's classification.
package dive.checks.clearance

import data.dive.levels

default pass := false

pass if {
	levels.clearance >= levels.classification
	count(levels.contradictions) == 0
}

reason := sprintf("The clearance %s is lower than the classification %s", [
	input.subject.clearance,
	input.resource.classification,
]) if {
	levels.clearance < levels.classification
}

reason := concat("; ", sort(levels.contradictions)) if {
	levels.clearance >= levels.classification
	count(levels.contradictions) > 0
}

reason := sprintf("Unknown level: %s", [concat(", ", sort(unknown))]) if count(unknown) > 0

unknown contains level if {
	some level in {input.subject.clearance, input.resource.classification}
	not levels.rank[level]
}
