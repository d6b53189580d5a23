"""From records to what is said about them: statistics, verdicts, tables, figures, the report. Never imports torch."""
