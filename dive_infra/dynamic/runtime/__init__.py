"""Runtime of the processes that Pulumi starts for us: the program, and the one that runs all our providers.

`interpreter` is what such a process does first, `bootstrap` prepares the provider process, `context` holds what that
process knows about the run it serves, `patches` changes code of others. No resources belong here, and only `dynamic`
and what declares resources may import it.

Everything that a process of this project changes in itself:

| process | what | where |
|---|---|---|
| program, providers, policy pack | rare garbage collection | `process.gc_tuning` |
| program | no debug log to the engine | `patches.silence_debug_log` |
| program | registrations are sent while the rest is declared | `patches.send_registrations` |
| program | provider packages load beside the event loop | `stacks.program` |
| language host's `pip list` | answered without pip | `interpreter` |
| providers | one message instead of a traceback | `patches.answer_with_message` |
| providers | pickles of our providers are loaded, no others | `patches.load_only` |
| providers | the engine's cancellation is heard | `patches.hear_cancellation` |
| providers | a run that ends unproven is recorded as failed | `bootstrap` |
| providers | probes shared for some seconds | `process.probe_cache` |
| providers, policy pack | end with their engine | `engine_watchdog` |
| providers | crash points, where a test asks for them | `process.crash_points` |
| `./dive` | no garbage collection while loading, `os._exit` at the end | `cli.start` |
| services | no wait for TLS clients that are gone | `services` |
"""
