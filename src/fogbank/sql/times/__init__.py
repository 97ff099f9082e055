"""Date patterns: `parse_time` formats as Joda-Time does, `time_to_epoch` parses as the JDK's DateTimeFormatter does."""
