# Policy data exactly as the hub delivers it, and a question that is permitted.
package dive.tests.fixture

feed(name, rows) := {"success": true, name: rows, "count": count(rows)}

feeds := {
	"clearance_equivalency": feed("clearance_equivalency", [level |
		some rank, name in ["UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP_SECRET"]
		level := {"standardLevel": name, "level": rank, "nationalEquivalents": national[name]}
	]),
	"coi_definitions": feed("coi_definitions", [community |
		some name in ["NATO", "FVEY", "US-ONLY", "AUKUS", "QUAD", "OLD"]
		community := {
			"coiId": name,
			"status": status(name),
			"enabled": true,
			"mutuallyExclusiveWith": object.get({"AUKUS": ["QUAD"], "QUAD": ["AUKUS"]}, name, []),
		}
	]),
	"federation_matrix": feed("federation_matrix", [
		{"sourceCountry": "FRA", "trustedCountries": ["FRA", "USA"]},
		{"sourceCountry": "USA", "trustedCountries": ["FRA", "USA"]},
		{"sourceCountry": "DEU", "trustedCountries": ["DEU"]},
	]),
	"tenant_configs": feed("tenant_configs", [
		{"code": "FRA", "aal_enforced": true, "industry_max_classification": "CONFIDENTIAL"},
		{"code": "USA", "aal_enforced": false},
	]),
	"trusted_issuers": feed("trusted_issuers", [
		{"issuerUrl": "https://idp.fra", "country": "FRA", "enabled": true},
		{"issuerUrl": "https://idp.usa", "country": "USA", "enabled": true},
		{"issuerUrl": "https://idp.off", "country": "FRA", "enabled": false},
		{"issuerUrl": "https://idp.deu", "country": "DEU", "enabled": true},
	]),
}

national := {
	"UNCLASSIFIED": {"FRA": ["NON CLASSIFIÉ"]},
	"RESTRICTED": {"FRA": ["DIFFUSION RESTREINTE"]},
	"CONFIDENTIAL": {"FRA": ["CONFIDENTIEL DÉFENSE"], "SWE": ["HEMLIG"]},
	"SECRET": {"FRA": ["SECRET DÉFENSE"], "SWE": ["HEMLIG"]},
	"TOP_SECRET": {"FRA": ["TRÈS SECRET DÉFENSE"]},
}

status(name) := object.get({"OLD": "retired"}, name, "active")

question := {
	"subject": {
		"authenticated": true,
		"uniqueID": "testuser-fra-4",
		"clearance": "SECRET",
		"countryOfAffiliation": "FRA",
		"acpCOI": ["NATO"],
		"organizationType": "GOV",
		"issuer": "https://idp.fra",
		"mfa_used": true,
	},
	"action": {"operation": "view"},
	"resource": {
		"resourceId": "doc-fra-000001",
		"classification": "SECRET",
		"releasabilityTo": ["FRA", "USA"],
		"COI": ["NATO"],
		"coiOperator": "ALL",
		"creationDate": "2026-01-01T00:00:00Z",
		"encrypted": true,
		"ztdf": {"policyHash": "abc", "computedPolicyHash": "abc", "integrityValid": true},
	},
	"context": {"tenant": "FRA", "acr": "2", "amr": ["pwd", "otp"], "currentTime": "2026-06-01T12:00:00Z"},
}
