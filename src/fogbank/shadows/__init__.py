"""The device shadow service: what an app wants of a thing and what the thing says of itself, kept while it is away.

document.py, requests.py and answers.py are pure: merge, delta and metadata; what comes in; what goes out. service.py
owns the state, and serves HTTP and MQTT through one function; subscriber.py takes requests off the reserved topics.
"""
