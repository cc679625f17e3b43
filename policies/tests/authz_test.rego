# Each row changes the question in one or two places; the decision names this check, or none if it permits.
package dive.tests.authz_test

import data.dive.authz
import data.dive.decision
import data.dive.tests.fixture

put(path, value) := {"op": "add", "path": path, "value": value}

drop(path) := {"op": "remove", "path": path}

cases := {
	"unchanged": [[], ""],
	"not logged in": [[put("/subject/authenticated", false)], "authentication"],
	"login not stated": [[drop("/subject/authenticated")], "authentication"],
	"no unique id": [[drop("/subject/uniqueID")], "attributes"],
	"empty clearance": [[put("/subject/clearance", "")], "attributes"],
	"no country": [[drop("/subject/countryOfAffiliation")], "attributes"],
	"no tenant": [[drop("/context/tenant")], "attributes"],
	"releasability as text": [[put("/resource/releasabilityTo", "FRANCE")], "attributes"],
	"communities as text": [[put("/subject/acpCOI", "NATO")], "attributes"],
	"lower clearance": [[put("/subject/clearance", "CONFIDENTIAL")], "clearance"],
	"higher clearance": [[put("/subject/clearance", "TOP_SECRET")], ""],
	"unknown clearance": [[put("/subject/clearance", "COSMIC")], "clearance"],
	"unknown classification": [[put("/resource/classification", "MAGIC")], "clearance"],
	"national label agrees": [
		[put("/resource/originalClassification", "SECRET DÉFENSE"), put("/resource/originalCountry", "FRA")],
		"",
	],
	"national label contradicts": [
		[put("/resource/originalClassification", "TRÈS SECRET DÉFENSE"), put("/resource/originalCountry", "FRA")],
		"clearance",
	],
	"one word for two levels": [
		[put("/resource/originalClassification", "HEMLIG"), put("/resource/originalCountry", "SWE")],
		"",
	],
	"clearance's label contradicts": [
		[put("/subject/clearanceOriginal", "DIFFUSION RESTREINTE"), put("/subject/clearanceCountry", "FRA")],
		"clearance",
	],
	"weak login": [[put("/context/acr", "1")], "strength"],
	"strength as a number": [[put("/context/acr", 2)], ""],
	"strength by name": [[put("/context/acr", "aal2")], ""],
	"strength unknown": [[put("/context/acr", "gold")], "strength"],
	"strength not stated": [[drop("/context/acr")], "strength"],
	"top secret wants level three": [
		[put("/resource/classification", "TOP_SECRET"), put("/subject/clearance", "TOP_SECRET")],
		"strength",
	],
	"weak login where strength is not enforced": [[put("/context/acr", "1"), put("/context/tenant", "USA")], ""],
	"weak login at a country without settings": [[put("/context/acr", "1"), put("/context/tenant", "DEU")], "strength"],
	"weak login, unclassified": [
		[put("/context/acr", "1"), put("/subject/mfa_used", false), put("/resource/classification", "UNCLASSIFIED")],
		"",
	],
	"no second factor": [[put("/subject/mfa_used", false)], "mfa"],
	"second factor not stated": [[drop("/subject/mfa_used")], "mfa"],
	"no second factor where not enforced": [[put("/subject/mfa_used", false), put("/context/tenant", "USA")], ""],
	"upload not releasable to oneself": [
		[put("/action/operation", "upload"), put("/resource/releasabilityTo", ["USA"])],
		"upload",
	],
	"upload": [[put("/action/operation", "upload")], ""],
	"other country": [[put("/resource/releasabilityTo", ["USA"])], "country"],
	"released to no country": [[put("/resource/releasabilityTo", [])], "country"],
	"partner": [[put("/subject/countryOfAffiliation", "USA")], ""],
	"not in the community": [[put("/subject/acpCOI", ["FVEY"])], "coi"],
	"in no community": [[put("/subject/acpCOI", [])], "coi"],
	"communities not stated": [[drop("/subject/acpCOI")], "coi"],
	"in one of two": [[put("/resource/COI", ["NATO", "FVEY"])], "coi"],
	"in any of two": [[put("/resource/COI", ["NATO", "FVEY"]), put("/resource/coiOperator", "ANY")], ""],
	"in none of two": [
		[
			put("/resource/COI", ["AUKUS", "FVEY"]),
			put("/resource/coiOperator", "ANY"),
		],
		"coi",
	],
	"unknown operator": [[put("/resource/coiOperator", "SOME")], "coi"],
	"no communities wanted": [[put("/resource/COI", []), put("/subject/acpCOI", [])], ""],
	"communities of the resource not stated": [[drop("/resource/COI")], ""],
	"US-ONLY and another tag": [[put("/resource/COI", ["US-ONLY"]), put("/subject/acpCOI", ["US-ONLY", "NATO"])], "coi"],
	"US-ONLY alone": [[put("/resource/COI", ["US-ONLY"]), put("/subject/acpCOI", ["US-ONLY"])], ""],
	"US-ONLY and a tag beyond the agreement": [
		[
			put("/resource/COI", ["US-ONLY"]),
			put("/subject/acpCOI", ["US-ONLY"]),
			put("/subject/unbelievedCOI", ["NATO"]),
		],
		"coi",
	],
	"a tag beyond the agreement": [[put("/subject/unbelievedCOI", ["FVEY"])], ""],
	"communities beyond the agreement as text": [[put("/subject/unbelievedCOI", "NATO")], "attributes"],
	"US-ONLY without a tag": [[put("/resource/COI", ["US-ONLY"]), put("/subject/acpCOI", [])], "coi"],
	"created tomorrow": [[put("/resource/creationDate", "2026-06-02T12:00:00Z")], "embargo"],
	"created in four minutes": [[put("/resource/creationDate", "2026-06-01T12:04:00Z")], ""],
	"created in six minutes": [[put("/resource/creationDate", "2026-06-01T12:06:00Z")], "embargo"],
	"creation not stated": [[put("/resource/creationDate", null)], ""],
	"creation not a time": [[put("/resource/creationDate", "soon")], "embargo"],
	"asker's clock not a time": [[put("/context/currentTime", "now")], "embargo"],
	"asker without a clock": [[drop("/context/currentTime")], ""],
	"label altered": [[put("/resource/ztdf/computedPolicyHash", "xyz")], "integrity"],
	"hashes empty": [[put("/resource/ztdf", {"policyHash": "", "computedPolicyHash": ""})], "integrity"],
	"envelope lost": [[drop("/resource/ztdf")], "integrity"],
	"envelope found broken": [[put("/resource/ztdf/integrityValid", false)], "integrity"],
	"encryption not stated": [[drop("/resource/encrypted")], "integrity"],
	"not encrypted": [[put("/resource/encrypted", false), drop("/resource/ztdf")], ""],
	"industry": [[put("/subject/organizationType", "industry")], "industry"],
	"industry above its limit": [
		[put("/subject/organizationType", "INDUSTRY"), put("/resource/releasableToIndustry", true)],
		"industry_cap",
	],
	"industry within its limit": [
		[
			put("/subject/organizationType", "INDUSTRY"),
			put("/resource/releasableToIndustry", true),
			put("/resource/classification", "CONFIDENTIAL"),
		],
		"",
	],
	"industry at a country without a limit": [
		[
			put("/subject/organizationType", "INDUSTRY"),
			put("/resource/releasableToIndustry", true),
			put("/resource/classification", "CONFIDENTIAL"),
			put("/context/tenant", "USA"),
		],
		"industry_cap",
	],
	"organization as a number": [[put("/subject/organizationType", 7)], "attributes"],
	"communities that exclude each other": [
		[put("/resource/COI", ["AUKUS", "QUAD"]), put("/subject/acpCOI", ["AUKUS", "QUAD"])],
		"coherence",
	],
	"community unknown": [[put("/resource/COI", ["MOON"]), put("/subject/acpCOI", ["MOON"])], "coherence"],
	"community retired": [[put("/resource/COI", ["OLD"]), put("/subject/acpCOI", ["OLD"])], "coherence"],
	"issuer unknown": [[put("/subject/issuer", "https://idp.evil")], "federation"],
	"issuer not stated": [[drop("/subject/issuer")], "federation"],
	"issuer disabled": [[put("/subject/issuer", "https://idp.off")], "federation"],
	"issuer's country not trusted": [[put("/subject/issuer", "https://idp.deu")], "federation"],
	"person's country not trusted": [
		[put("/subject/countryOfAffiliation", "DEU"), put("/resource/releasabilityTo", ["DEU"])],
		"federation",
	],
	"tenant unknown": [[put("/context/tenant", "XXX")], "federation"],
	"the first of two reasons": [
		[put("/resource/releasabilityTo", []), put("/subject/clearance", "RESTRICTED")],
		"clearance",
	],
}

test_decision[name] if {
	some name, [patches, check] in cases
	answer := authz with input as json.patch(fixture.question, patches)
		with data.dive.trusted_issuers as fixture.feeds.trusted_issuers
		with data.dive.federation_matrix as fixture.feeds.federation_matrix
		with data.dive.coi_definitions as fixture.feeds.coi_definitions
		with data.dive.tenant_configs as fixture.feeds.tenant_configs
		with data.dive.clearance_equivalency as fixture.feeds.clearance_equivalency
	answer.evaluation_details.check == check
	count([1 | answer.allow]) == count([1 | check == ""])
	answer.reason != ""
	count(answer.obligations) == count([1 | answer.allow; fixture_encrypted(patches)])
	object.keys(answer) == {"allow", "reason", "obligations", "evaluation_details"}
}

fixture_encrypted(patches) if not put("/resource/encrypted", false) in patches

# Every check is in some row; therefore none is dead, and none was forgotten here.
test_every_check_is_seen_to_deny if {
	denying := {row[1] | some row in cases}
	{check | some check in decision.order} - {"policy_data"} == denying - {""}
	{code | some code, _ in data.dive.checks} == {check | some check in decision.order}
}

test_reasons_name_what_was_found if {
	answer := authz with input as json.patch(fixture.question, [put("/subject/clearance", "RESTRICTED")])
		with data.dive.trusted_issuers as fixture.feeds.trusted_issuers
		with data.dive.federation_matrix as fixture.feeds.federation_matrix
		with data.dive.coi_definitions as fixture.feeds.coi_definitions
		with data.dive.tenant_configs as fixture.feeds.tenant_configs
		with data.dive.clearance_equivalency as fixture.feeds.clearance_equivalency
	answer.reason == "The clearance RESTRICTED is lower than the classification SECRET"
}
