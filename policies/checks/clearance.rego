# The person's clearance is at least the resource's classification.
package dive.checks.clearance

import data.dive.levels

default pass := false

pass if {
	levels.clearance >= levels.classification
	count(levels.contradictions) == 0
}

reason := sprintf("The clearance %s does not reach the classification %s", [
	input.subject.clearance,
	input.resource.classification,
]) if {
	levels.clearance < levels.classification
}

reason := concat("; ", sort(levels.contradictions)) if {
	levels.clearance >= levels.classification
	count(levels.contradictions) > 0
}

reason := sprintf("Not a known level: %s", [concat(", ", sort(unknown))]) if count(unknown) > 0

unknown contains level if {
	some level in {input.subject.clearance, input.resource.classification}
	not levels.rank[level]
}
