"""The fleet index: things and thing groups, found by what is known of them (developer guide, iot-indexing)."""
