# What the hub distributes, unwrapped. A feed arrives as {"success": true, "<feed>": [rows], "count": n}. A feed that is
# absent, empty, truncated or not a success is missing, and no default replaces it.
package dive.feeds

# feed -> the field that identifies its rows
keys := {
	"clearance_equivalency": "standardLevel",
	"coi_definitions": "coiId",
	"federation_matrix": "sourceCountry",
	"tenant_configs": "code",
	"trusted_issuers": "issuerUrl",
}

delivered["clearance_equivalency"] := data.dive.clearance_equivalency

delivered["coi_definitions"] := data.dive.coi_definitions

delivered["federation_matrix"] := data.dive.federation_matrix

delivered["tenant_configs"] := data.dive.tenant_configs

delivered["trusted_issuers"] := data.dive.trusted_issuers

rows[feed] := {row[key]: row | some row in wrapped[feed]} if {
	some feed, key in keys
	wrapped := delivered[feed]
	wrapped.success == true
	wrapped.count > 0
	wrapped.count == count(wrapped[feed])
}

missing contains feed if {
	some feed, _ in keys
	not rows[feed]
}
