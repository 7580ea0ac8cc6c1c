"""Where personal data are kept: one file or folder per store kind, all with the same port (``model.Store``)."""
