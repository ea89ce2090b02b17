"""What a fault server answers: steps, choosers and scripts of them."""
