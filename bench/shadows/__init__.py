"""Shadows: how many updates a second are on disk and told to all who asked, over MQTT and over HTTP."""
