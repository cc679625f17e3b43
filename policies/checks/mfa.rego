# A second factor was used where the assurance level asks for one.
package dive.checks.mfa

import data.dive.tenant

default pass := false

pass if not tenant.aal_enforced

pass if tenant.required_aal < 2

pass if input.subject.mfa_used == true

reason := sprintf("%s asks for a login with a second factor", [input.resource.classification])
