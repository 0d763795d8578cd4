"""What Lampyris talks about: names, signatures, tensors, manifests. Knows no cloud and no transport."""
