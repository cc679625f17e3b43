# The resource is releasable to the person's country; an empty list releases it to no country.
package dive.checks.country

default pass := false

pass if input.subject.countryOfAffiliation in input.resource.releasabilityTo

reason := sprintf("The resource is not releasable to %s", [input.subject.countryOfAffiliation])
