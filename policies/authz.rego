# The entry point: POST /v1/data/dive/authz. Only an explicit permission permits; every other result is a denial.
package dive.authz

import data.dive.decision

default allow := false

allow := decision.allow

default reason := "Denied: the policy is incomplete"

reason := decision.reason

# The obligation of a permission: the key access service releases this resource's key only under this policy.
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
