"""LayoutLMv3 over the words of a page: which words are a name, a phone number, a company."""
