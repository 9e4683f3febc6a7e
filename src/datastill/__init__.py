"""datastill: dataset distillation by distribution matching, with constraints that plug into any method."""
