"""Jobs: what a fleet is to do, thing by thing (developer guide, iot-jobs).

states.py, configs.py, criteria.py, windows.py, requests.py, answers.py and events.py are pure: what may follow what,
how a job is configured, what that means for its executions, what comes in and goes out. ledger.py is the one writer:
everything that changes is worked out one piece after the other and is on disk before anybody hears of it. On it stand
executions.py and lifecycle.py, which know what a change brings about. Whatever takes longer than a moment (a rollout,
a cancellation, a timeout) is an appointment in agenda.py, on disk as well: a killed server goes on where it was.
"""
