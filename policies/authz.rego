# The question and its answer: POST /v1/data/dive/authz. Everything that is not a clear yes is a no.
package dive.authz

import data.dive.decision

default allow := false

allow := decision.allow

default reason := "Denied: the policy is not complete"

reason := decision.reason

# What must happen with a permission: the key service releases the key of this resource under this policy alone.
default obligations := []

obligations := [{
	"type": "release-key",
	"resourceId": input.resource.resourceId,
	"policyHash": input.resource.ztdf.policyHash,
}] if {
	decision.allow
	input.resource.encrypted
}

default evaluation_details := {"check": "policy", "checks": {}}

evaluation_details := {"check": decision.check, "checks": decision.checks}
