"""What makes tensors of records, and answers of tensors: the same for the server, batch jobs and databases."""
