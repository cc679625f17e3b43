# A second factor was used if the assurance level requires one.
package dive.checks.mfa

import data.dive.tenant

default pass := false

pass if not tenant.aal_enforced

pass if tenant.required_aal < 2

pass if input.subject.mfa_used == true

reason := sprintf("%s requires a login with a second factor", [input.resource.classification])
