"""Provisioning: things, certificates and policies made from templates (developer guide, iot-provision)."""
