# An encrypted resource still has the policy that it was sealed with.
package dive.checks.integrity

default pass := false

pass if input.resource.encrypted == false

pass if {
	input.resource.encrypted == true
	input.resource.ztdf.policyHash != ""
	input.resource.ztdf.policyHash == input.resource.ztdf.computedPolicyHash
	object.get(input.resource.ztdf, "integrityValid", true) == true
}

reason := "The resource's policy has changed since the resource was sealed"
