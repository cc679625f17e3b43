// Package shim exports the Docker provider, which upstream keeps internal.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// NewProvider returns the upstream provider under the given version.
func NewProvider(version string) *schema.Provider {
	return provider.New(version)()
}
