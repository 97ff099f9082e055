"""Jobs: what a fleet is to do, thing by thing (developer guide, iot-jobs)."""
