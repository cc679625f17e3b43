# An upload is releasable to the country of the person who uploads it.
package dive.checks.upload

default pass := false

pass if input.action.operation != "upload"

pass if input.subject.countryOfAffiliation in input.resource.releasabilityTo

reason := sprintf("An upload of %s must be releasable to %s", [
	input.subject.countryOfAffiliation,
	input.subject.countryOfAffiliation,
])
