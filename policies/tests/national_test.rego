# The rules of a country only restrict what the coalition's policies permit.
package dive.tests.national_test

import data.national

permits := {"allow": true, "reason": "r", "obligations": [1], "evaluation_details": {"check": "", "checks": {"mfa": true}}}

denies := {"allow": false, "reason": "r", "obligations": [], "evaluation_details": {"check": "mfa", "checks": {}}}

night := {"pass": false, "reason": "No documents at night"}

# The coalition's answer, the country's rules, what the answer is: the coalition's, or the country's check.
cases := {
	"no rules, permitted": [permits, {}, ""],
	"no rules, denied": [denies, {}, "mfa"],
	"passes": [permits, {"night": {"pass": true, "reason": ""}}, ""],
	"denies": [permits, {"night": night}, "national.night"],
	"one of two denies": [permits, {"day": {"pass": true}, "night": night}, "national.night"],
	"the first in order denies": [permits, {"night": night, "day": {"pass": false}}, "national.day"],
	"not evaluated": [permits, {"night": {}}, "national.night"],
	"not a boolean": [permits, {"night": {"pass": "true"}}, "national.night"],
	"never permits": [denies, {"night": {"pass": true}}, "mfa"],
	"both deny": [denies, {"night": night}, "mfa"],
	"permission as a text": [object.union(permits, {"allow": "true"}), {"night": night}, "national.night"],
}

test_only_restricts[name] if {
	some name, [coalition, rules, check] in cases
	answer := national.answer with data.dive.authz as coalition with data.national.checks as rules
	answer.evaluation_details.check == check
	unchanged := [1 | answer == coalition]
	count(unchanged) == count([1 | not startswith(check, "national.")])
}

test_a_denial_has_the_reason_of_its_rule_and_no_obligation if {
	answer := national.answer with data.dive.authz as permits with data.national.checks as {"a": {"pass": true}, "n": night}
	answer == {
		"allow": false,
		"reason": "No documents at night",
		"obligations": [],
		"evaluation_details": {"check": "national.n", "checks": {"national.a": true, "national.n": false}},
	}
}

test_a_rule_without_a_reason_denies if {
	answer := national.answer with data.dive.authz as permits with data.national.checks as {"n": {"pass": false}}
	answer.reason == "Denied by a rule of this country, which gives no reason"
}

# The services take nothing but an explicit boolean.
test_an_answer_without_a_decision_stays_one if {
	incomplete := {"reason": "r"}
	national.answer == incomplete with data.dive.authz as incomplete with data.national.checks as {"n": night}
}
