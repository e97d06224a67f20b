"""A virtual cohort with a known truth, to measure what the pipeline decides: no patient, no claim about one."""
