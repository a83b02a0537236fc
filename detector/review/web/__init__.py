"""The takedown desk in a browser and as an API: one application, see `detector.review.web.app`."""
