"""Plain ``nn.Module`` networks for one seed; the runner stacks them over seeds."""
