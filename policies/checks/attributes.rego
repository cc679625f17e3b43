# Every attribute that the other checks need is present and has the right type.
package dive.checks.attributes

required := {
	["subject", "uniqueID"]: "string",
	["subject", "clearance"]: "string",
	["subject", "countryOfAffiliation"]: "string",
	["resource", "resourceId"]: "string",
	["resource", "classification"]: "string",
	["resource", "releasabilityTo"]: "array",
	["action", "operation"]: "string",
	["context", "tenant"]: "string",
}

# Attributes that may be absent, but not of another type.
optional := {
	["subject", "acpCOI"]: "array",
	["subject", "unbelievedCOI"]: "array",
	["subject", "organizationType"]: "string",
	["resource", "COI"]: "array",
}

missing contains concat(".", path) if {
	some path, type in required
	value := object.get(input, path, null)
	not usable(value, type)
}

missing contains concat(".", path) if {
	some path, type in optional
	value := object.get(input, path, absent)
	value != absent
	not usable(value, type)
}

# A default that no input can contain: JSON has no sets.
absent := set()

usable(value, "string") if {
	is_string(value)
	value != ""
}

usable(value, "array") if is_array(value)

default pass := false

pass if count(missing) == 0

reason := sprintf("Missing or malformed attributes: %s", [concat(", ", sort(missing))])
