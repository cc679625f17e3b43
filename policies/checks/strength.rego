# The login has at least the assurance level that the classification requires.
package dive.checks.strength

import data.dive.tenant

# The names that identity providers give the levels.
known := {"0": 0, "1": 1, "2": 2, "3": 3, "aal1": 1, "aal2": 2, "aal3": 3}

default found := 0

found := known[lower(text(input.context.acr))]

text(acr) := acr if is_string(acr)

text(acr) := format_int(acr, 10) if is_number(acr)

default pass := false

pass if not tenant.aal_enforced

pass if found >= tenant.required_aal

reason := sprintf("The login has assurance level %d; %s requires %d", [
	found,
	input.resource.classification,
	tenant.required_aal,
])
