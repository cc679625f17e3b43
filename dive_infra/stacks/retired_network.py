"""The network that spanned all countries in the previous release, which the hub's stack declared.

It stays declared while a country of that release is on it, so that the hub can be updated first; the first update of
the hub after that removes it. With the next release this module goes, and with it `Names.retired_network`.
"""

from dive_infra import engines
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import ENGINE_ANSWER
from dive_infra.engines.engine import EngineError


def in_use(names: Names) -> tuple[str, ...]:
    """Return the network if containers of others than the hub are on it; nothing if no engine answers.

    A run that would then delete it does not get that far, because PREFLIGHT needs the engine.
    """
    if not names.country.is_hub:
        return ()
    try:
        attached = engines.connect(ENGINE_ANSWER).attached(names.retired_network)
    except EngineError:
        return ()
    return (names.retired_network,) if any(not names.owns(user.labels) for user in attached) else ()
