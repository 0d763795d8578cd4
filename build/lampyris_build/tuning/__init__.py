"""Which model: recipes compared by what their models are worth and cost, one of them picked, and why."""
