"""Models that users bring: trained elsewhere, or defined in modules of their own."""
