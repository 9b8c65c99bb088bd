package labtest

// executable works even for a user who may not enter the binary's directory.
func executable() (string, error) { return "/proc/self/exe", nil }
