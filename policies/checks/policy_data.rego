# Every feed of the hub has arrived.
package dive.checks.policy_data

import data.dive.feeds

default pass := false

pass if count(feeds.missing) == 0

reason := sprintf("Policy data has not arrived: %s", [concat(", ", sort(feeds.missing))])
