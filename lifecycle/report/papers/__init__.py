"""Papers beside the report: the deletion concept, the entry in the record of processing, the monthly overview."""
