# An encrypted resource is still under the policy that it was bound to.
package dive.checks.integrity

default pass := false

pass if input.resource.encrypted == false

pass if {
	input.resource.encrypted == true
	input.resource.ztdf.policyHash != ""
	input.resource.ztdf.policyHash == input.resource.ztdf.computedPolicyHash
	object.get(input.resource.ztdf, "integrityValid", true) == true
}

reason := "The resource's policy is not the one that it was sealed with"
