"""From a learner with random weights to one that has learnt: the loop, and what it is made of."""
