"""Model cards: what people should know of a version before they rely on it (Mitchell et al. 2019)."""
