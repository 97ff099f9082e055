"""Fogbank: an open, self-hosted, serverless IoT platform that speaks AWS IoT Core and AWS Lambda."""

__version__ = "0.1.0"
