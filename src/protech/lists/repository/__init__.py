"""What an authority signs, as TUF has it: the documents, changes to them, the server's part."""
