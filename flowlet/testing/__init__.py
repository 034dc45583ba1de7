"""What users need to test their DAGs."""
