"""The device shadow service: what an app wants of a thing and what the thing says of itself, kept while it is away.

document.py, requests.py and answers.py are pure: merge, delta and metadata; what comes in; what goes out. writer.py
does what is asked, in turns that share a commit; service.py is what others ask, over HTTP and MQTT alike; subscriber.py
takes requests off the reserved topics. What AWS leaves open is listed in undocumented.py.
"""
