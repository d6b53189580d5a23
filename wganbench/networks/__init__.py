"""Networks: plain ``nn.Module`` classes for one seed; the runner stacks them."""
