# The creation date is not in the future; a future date is an embargo. Clocks may differ by five minutes.
package dive.checks.embargo

tolerance := (5 * 60) * 1000000000

created := object.get(input.resource, "creationDate", null)

# The clock of the service that asks, or OPA's own.
now := time.parse_rfc3339_ns(input.context.currentTime) if input.context.currentTime

now := time.now_ns() if not input.context.currentTime

default pass := false

pass if created == null

pass if time.parse_rfc3339_ns(created) <= now + tolerance

reason := sprintf("The resource is under embargo until %v", [created])
