# The person belongs to the resource's communities of interest: to all of them, or to at least one if `coiOperator` is
# ANY. A person without a community is denied a resource that has one.
package dive.checks.coi

wanted := {tag | some tag in input.resource.COI}

held := {tag | some tag in input.subject.acpCOI}

# A resource with such a tag requires a person who has this tag and no other.
exclusive := {"US-ONLY"}

operator := object.get(input.resource, "coiOperator", "ALL")

enough if {
	operator == "ALL"
	count(wanted - held) == 0
}

enough if {
	operator == "ANY"
	count(wanted & held) > 0
}

alone if count(wanted & exclusive) == 0

# A community that the agreement with the person's country does not cover counts here: it must not open a resource.
alone if {
	held == wanted & exclusive
	count(object.get(input.subject, "unbelievedCOI", [])) == 0
}

default pass := false

pass if count(wanted) == 0

pass if {
	enough
	alone
}

default reason := "Not a member of the resource's communities of interest"

reason := sprintf("Not a member of the resource's communities of interest: expected %s of %s", [
	lower(operator),
	concat(", ", sort(wanted)),
]) if {
	not enough
}

reason := sprintf("%s requires a person who is in no other community", [concat(", ", sort(wanted & exclusive))]) if {
	enough
	not alone
}
